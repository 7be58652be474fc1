"""Figures, one file each; `style` is what they share, `captions` what they say in words."""
