"""What is measured, one file per subject; each lists its STAGES by name."""
