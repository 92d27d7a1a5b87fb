"""The files that ``zypher new-model`` starts from, one for each form; ``MyModel`` becomes the model's name."""
