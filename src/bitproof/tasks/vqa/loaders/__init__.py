"""Public data sets as questions: one class a set, read from the files as they are published; nothing is downloaded or copied."""

from __future__ import annotations

_HERE = "bitproof.tasks.vqa.loaders"

#: Name of a source → its class; its fields are the words of its spec.
LOADERS = {
    "coco": f"{_HERE}.coco:Coco",
    "tiny-imagenet-c": f"{_HERE}.tiny_imagenet:TinyImageNetC",
    "mpid-rain": f"{_HERE}.counted:MpidRain",
    "image-sentiment": f"{_HERE}.folders:ImageSentiment",
    "fgvc-aircraft": f"{_HERE}.aircraft:FgvcAircraft",
    "cod10k": f"{_HERE}.cod10k:Cod10k",
    "iocfish5k": f"{_HERE}.counted:IocFish5k",
    "cds2k": f"{_HERE}.folders:Cds2k",
    "textvqa": f"{_HERE}.textvqa:TextVqa",
    "sun-seg": f"{_HERE}.folders:SunSeg",
    "rsvqa-lr": f"{_HERE}.rsvqa:RsvqaLr",
    "folder": f"{_HERE}.table:Folder",
}

__all__ = ["LOADERS"]
