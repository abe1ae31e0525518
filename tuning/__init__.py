"""Look for better parameters: Optuna proposes, experiments of DVC answer."""
