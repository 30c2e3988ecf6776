"""Where image data comes from: one class a source; its fields are the words of its spec, and ``load()`` reads what is cheap."""
