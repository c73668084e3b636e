"""The settings of connections: one declaration per dialect, made of checked fields."""
