"""Object detectors: from output tensors to candidates, and their comparison.

A candidate is a box that the network proposes with a score, before any suppression of overlapping ones. Boxes are
(left, top, right, bottom) as shares of the image.
"""
from collections import namedtuple

THRESHOLD = 0.5
SCORE_MARGIN = 0.02  # float scores this close to the threshold may fall on either side
BOX_LIMIT = 0.01  # of the image's width or height

Candidate = namedtuple("Candidate", "score box")

FASTESTDET_SIZE, FASTESTDET_CLASSES = 352, 80


def fastestdet(outputs):
    """FastestDet: a row per cell of a 22x22 grid. The graph ends with Concat of the box's centre x, centre y, width and
    height in pixels (grid offset and scale already applied), an objectness after Sigmoid, and 80 classes after Softmax.

    Two scores are in use: objectness * class, which is what tools for YOLO rows compute, and objectness^0.6 * class^0.4
    of the network's authors. Both are judged.
    """
    (values,), width = outputs, 5 + FASTESTDET_CLASSES
    found = {}
    for cell in range(len(values) // width):
        row = values[cell * width:(cell + 1) * width]
        x, y, w, h = (v / FASTESTDET_SIZE for v in row[:4])
        objectness, classes = max(0.0, row[4]), row[5:]
        best = max(range(FASTESTDET_CLASSES), key=lambda k: classes[k])
        share = max(0.0, classes[best])
        box = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        found["product", cell, best] = Candidate(objectness * share, box)
        found["weighted", cell, best] = Candidate(objectness ** 0.6 * share ** 0.4, box)
    return found


def face_rfb320(outputs):
    """The face detector: scores (background, face) after Softmax, and boxes as corners in shares of the image; the graph
    itself applies its 4420 priors (Mul by 0.1 and 0.2, Exp, Add, Sub)."""
    scores, boxes = outputs
    return {prior: Candidate(scores[2 * prior + 1], tuple(boxes[4 * prior:4 * prior + 4]))
            for prior in range(len(scores) // 2)}


DECODERS = {"fastestdet": fastestdet, "face_rfb320": face_rfb320}


def compare(got, reference):
    """Candidates of one picture, network against float reference: {candidates, missing, extra, box_error}.

    missing, extra: [(key, float score, score)] that are kept on one side only although the float score is not near the
    threshold. box_error: the largest coordinate error among candidates that both keep.
    """
    nobody = Candidate(0.0, None)
    report = {"candidates": 0, "missing": [], "extra": [], "box_error": 0.0}
    for key in got.keys() | reference.keys():
        a, b = got.get(key, nobody), reference.get(key, nobody)
        kept, wanted = a.score > THRESHOLD, b.score > THRESHOLD
        report["candidates"] += wanted
        if kept and wanted:
            report["box_error"] = max([report["box_error"]] + [abs(p - q) for p, q in zip(a.box, b.box)])
        elif kept != wanted and abs(b.score - THRESHOLD) > SCORE_MARGIN:
            report["missing" if wanted else "extra"].append((key, b.score, a.score))
    return report
