"""From a checkpoint to what runs on a vehicle: export, runners, evaluation, prediction, benchmark."""
