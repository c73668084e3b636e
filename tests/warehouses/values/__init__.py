"""What databases hold, and what arrives of it: values, types and parameters, through the API in every format."""
