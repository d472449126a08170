"""SuperResolution's engine: finer medical volumes from coarse ones, without Slicer.

    from SuperResolutionLib.upscaling import UpscaleRequest, upscale
    from SuperResolutionLib.volume_files import read_volume, write_volume

Nothing is imported here, so that ``import SuperResolutionLib`` costs nothing at Slicer's start.
"""
