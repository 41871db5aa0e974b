"""theanets' recurrent cells that Keras lacks."""
