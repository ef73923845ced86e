"""``edgeseg score`` as a service: its camera, its health, its model, and what it tells of itself."""
