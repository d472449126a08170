"""SuperResolution's engine: finer medical volumes from coarse ones, without Slicer.

    from SuperResolutionLib.upscaling.upscale import UpscaleRequest, upscale
    from SuperResolutionLib.files.reading import read_volume
    from SuperResolutionLib.files.writing import write_volume

Nothing is imported here, so that ``import SuperResolutionLib`` costs nothing at Slicer's start.
"""
