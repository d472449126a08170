"""The parts of the Slicer module, one class per file. Only the files named ``Qt…`` and ``Slicer…`` need the
application; the others need the scene alone, or nothing of Slicer."""
