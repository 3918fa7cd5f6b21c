"""What the models say: registered models and scores."""
