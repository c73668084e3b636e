"""What connections of every dialect need: one declaration a dialect, made of checked fields."""
