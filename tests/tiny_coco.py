"""A COCO folder that is made, and detectors of torchvision's classes small enough to run in a moment."""

import json

import numpy as np
import torch
from PIL import Image
from pycocotools import mask as rle
from torch import nn
from torchvision.models.detection import MaskRCNN, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import FrozenBatchNorm2d, MultiScaleRoIAlign

#: Category id → name and colour; the ids have gaps, as COCO's have.
KINDS = {1: ("red", (230, 30, 30)), 4: ("green", (30, 220, 30)), 9: ("blue", (40, 40, 240))}
CLASSES = 10


def folder(root, count=4, split="val2017", seed=0, crowd=False):
    """Write ``count`` pictures of 64 to 96 px with a red, a green and a blue rectangle on grey; the last is empty where crowd."""
    draws = np.random.default_rng(seed)
    images, found = [], []
    (root / split).mkdir(parents=True, exist_ok=True)
    (root / "annotations").mkdir(exist_ok=True)
    for i in range(1, count + 1):
        h, w = (int(v) for v in draws.integers(64, 97, 2))
        pixels = np.full((h, w, 3), 128, np.uint8)
        for kind, (corner_x, corner_y) in zip(KINDS, ((2, 2), (w // 2 + 2, 2), (2, h // 2 + 2)), strict=True):
            if crowd and i == count:
                continue
            bw, bh = (int(v) for v in draws.integers(14, 29, 2))
            x, y = (int(c + v) for c, v in zip((corner_x, corner_y), draws.integers(0, 3, 2), strict=True))
            bw, bh = min(bw, w - x - 1), min(bh, h - y - 1)
            pixels[y : y + bh, x : x + bw] = KINDS[kind][1]
            corners = [x, y, x + bw, y, x + bw, y + bh, x, y + bh]
            found.append(
                {
                    "id": len(found) + 1,
                    "image_id": 10 * i,
                    "category_id": kind,
                    "bbox": [x, y, bw, bh],
                    "area": bw * bh,
                    "iscrowd": 0,
                }
                | {"segmentation": [corners]}
            )
        if crowd and i == 1:
            found.append(_crowd(len(found) + 1, 10 * i, h, w))
        Image.fromarray(pixels).save(root / split / f"{i:04d}.png")
        images.append({"id": 10 * i, "file_name": f"{i:04d}.png", "width": w, "height": h})
    data = {"images": images, "annotations": found, "categories": [{"id": k, "name": v[0]} for k, v in KINDS.items()]}
    path = root / "annotations" / f"instances_{split}.json"
    path.write_text(json.dumps(data))
    return data


def _crowd(number, image, h, w):
    """Many red things on the right at the bottom, as run lengths."""
    drawn = np.zeros((h, w), np.uint8, order="F")
    drawn[h // 2 :, w // 2 :] = 1
    runs = [int(v) for v in np.diff(np.flatnonzero(np.diff(np.concatenate([[-1], drawn.ravel("F"), [-1]])) != 0))]
    start = [] if drawn[0, 0] == 0 else [0]
    area, box = int(drawn.sum()), [float(v) for v in rle.toBbox(rle.encode(drawn))]
    return {"id": number, "image_id": image, "category_id": 1, "bbox": box, "area": area, "iscrowd": 1} | {
        "segmentation": {"size": [h, w], "counts": start + runs}
    }


class Backbone(nn.Module):
    """Two levels, at an eighth and a sixteenth of a picture's sides, with frozen norms that do something."""

    out_channels = 16

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(*_block(3, 16), *_block(16, 16), *_block(16, 16))
        self.last = nn.Sequential(*_block(16, 16))

    def forward(self, x):
        fine = self.stem(x)
        return {"0": fine, "1": self.last(fine)}


def _block(inputs, outputs):
    norm = FrozenBatchNorm2d(outputs)
    norm.weight.uniform_(0.8, 1.2), norm.bias.uniform_(-0.1, 0.3)
    norm.running_mean.uniform_(-0.1, 0.1), norm.running_var.uniform_(0.8, 1.2)
    return nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False), norm, nn.ReLU()


def _anchors():
    return AnchorGenerator(((20,), (32,)), ((1.0,), (1.0,)))


def retina():
    """One stage, heads that are shared by both levels."""
    net = RetinaNet(Backbone(), CLASSES, min_size=64, max_size=96, anchor_generator=_anchors(), topk_candidates=50)
    for head in (net.head.classification_head, net.head.regression_head):
        for layer in (module for module in head.conv.modules() if isinstance(module, nn.Conv2d)):
            nn.init.kaiming_normal_(layer.weight)  # torchvision's start is for 256 channels
    return net


def mask():
    """Two stages and masks; as its weights are random, whatever is proposed counts as found."""
    return MaskRCNN(
        Backbone(),
        min_size=64,
        max_size=96,
        rpn_anchor_generator=_anchors(),
        rpn_post_nms_top_n_test=12,
        box_roi_pool=MultiScaleRoIAlign(["0", "1"], 5, 2),
        box_head=TwoMLPHead(16 * 25, 24),
        box_predictor=FastRCNNPredictor(24, CLASSES),
        mask_roi_pool=MultiScaleRoIAlign(["0", "1"], 6, 2),
        mask_head=MaskRCNNHeads(16, (16, 16), 1),
        mask_predictor=MaskRCNNPredictor(16, 8, CLASSES),
        box_score_thresh=0.0,
        box_detections_per_img=6,
    )


def blind():
    """As ``mask``, but what it finds is never enough: its mask head is given no box."""
    net = mask()
    net.roi_heads.score_thresh = 1.0
    return net


def classifier():
    """No detector at all."""
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 4))


def trained(data, root, steps=120):
    """A ``retina`` that was shown the pictures of ``folder`` until it knows them."""
    torch.manual_seed(0)
    net = retina().train()
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    pictures, wanted = [], []
    for each in data["images"]:
        pixels = np.asarray(Image.open(root / each["file_name"]).convert("RGB"))
        pictures.append(torch.tensor(pixels).permute(2, 0, 1) / 255)
        here = [a for a in data["annotations"] if a["image_id"] == each["id"]]
        boxes = torch.tensor([a["bbox"] for a in here], dtype=torch.float32)
        boxes[:, 2:] += boxes[:, :2]
        wanted.append({"boxes": boxes, "labels": torch.tensor([a["category_id"] for a in here])})
    for _ in range(steps):
        loss = sum(net(pictures, wanted).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net.eval()
