"""Labeling tools: tasks out, with the model's prediction as a start, and finished work back."""
