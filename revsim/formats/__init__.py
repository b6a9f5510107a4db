"""Text forms of circuits, in and out."""
