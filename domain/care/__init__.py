"""What people do for members: interactions and call-back tasks."""
