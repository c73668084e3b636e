"""Results on the wire: encoders and streams."""
