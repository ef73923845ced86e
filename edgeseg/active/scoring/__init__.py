"""What a model says of the frames of Q, and what a vehicle's strategy makes of it: here, or on a cluster."""
