"""Where models and datasets come from: the catalog, the hub, folders and packages, every file verified."""
