"""Samples for benchmarks, read without Tamis, so that peers get them as their users would make them."""
import pathlib

import numpy as np

PICTURES = (".jpg", ".jpeg", ".png", ".bmp")


def _evenly(count, wanted):
    """Indices of `wanted` of `count` things, evenly spaced; of all for 0."""
    return [i * count // wanted for i in range(wanted)] if 0 < wanted < count else list(range(count))


def _arrays(folder, wanted):
    arrays = {file.stem: np.load(file, mmap_mode="r") for file in sorted(folder.glob("*.npy"))}
    keep = _evenly(len(next(iter(arrays.values()))), wanted)
    arrays = {name: np.ascontiguousarray(array[keep]) for name, array in arrays.items()}
    labels = arrays.pop("labels", None)
    return arrays, labels


def read(folder, input_name, wanted=0, mean=(0, 0, 0), std=(1, 1, 1)):
    """({input: samples along axis 0}, labels or None).

    `folder` holds .npy files, one an input (labels.npy: classes), or pictures in folders of their classes, which are
    numbered in the order of their names. Pictures become RGB / 255, less `mean`, over `std`, channels first.
    """
    folder = pathlib.Path(folder)
    if any(folder.glob("*.npy")):
        return _arrays(folder, wanted)
    from PIL import Image
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in PICTURES)
    if not files:
        raise SystemExit(f"{folder}: neither .npy files nor pictures ({', '.join(PICTURES)})")
    classes = sorted({file.relative_to(folder).parts[0] for file in files})
    files = [files[i] for i in _evenly(len(files), wanted)]
    pictures = [np.asarray(Image.open(file).convert("RGB"), np.float32) for file in files]
    arrays = (np.stack(pictures) / 255 - np.float32(mean)) / np.float32(std)
    labels = [classes.index(file.relative_to(folder).parts[0]) for file in files]
    return {input_name: np.ascontiguousarray(arrays.transpose(0, 3, 1, 2))}, \
        np.asarray(labels) if 1 < len(classes) < len(files) else None
