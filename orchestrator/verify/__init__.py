"""What a published version must be, checked from the registry alone.

The rules are those that DKP, its mirror and its documentation site rely on; each has a number.
"""
