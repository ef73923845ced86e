"""Active learning simulated against an oracle: rounds of training, selection and labeling."""
