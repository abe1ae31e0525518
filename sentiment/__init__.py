"""What the stages and the app share, in packages along the way of the data."""
