"""What ``edgeseg active strategies`` tells of the strategies that the vehicle has."""

from __future__ import annotations

from edgeseg.active.methods.base import About

_THESIS = "Kasarla 2019, section 3.2"
_REGIONS = "the highest frames, of each the highest superpixels"
_PIXELS = "the highest frames, of each the most uncertain pixels"

ABOUT = {
    "random": About(
        "random frames, of each random superpixels", "nothing", "nothing", "-", "as what every other has to beat"
    ),
    "entropy": About(_PIXELS, "the entropy map", "nothing", _THESIS, "the vehicle has no time for superpixels"),
    "entropy-edge": About(_PIXELS, "the entropy map", "an edge detector", _THESIS, "thin objects matter most"),
    "superpixel": About(_REGIONS, "the entropy map", "superpixels", _THESIS, "labelers want whole shapes; the default"),
    "superpixel-crf": About(
        _REGIONS, "cell probabilities", "superpixels and a CRF", _THESIS, "the model is noisy within objects"
    ),
    "class-specific": About(
        "the highest frames, of each an equal share for every class",
        "features and class prototypes",
        "superpixels, a CRF, prototypes fitted each round",
        _THESIS,
        "rare classes must not be forgotten",
    ),
    "margin": About(_REGIONS, "the two best classes", "nothing", "Scheffer et al. 2001", "two classes are confused"),
    "least-confidence": About(
        _REGIONS, "the two best classes", "nothing", "Lewis and Gale 1994", "a model is calibrated well"
    ),
    "flip-consistency": About(
        _REGIONS, "nothing but class maps", "a second run of the model", "-", "the graph gives class maps alone"
    ),
    "mc-dropout": About(
        _REGIONS,
        "a network with dropout",
        "a run of the model for each pass",
        "Gal and Ghahramani 2016",
        "as the reference that cheaper ones are held against",
    ),
    "committee": About(
        _REGIONS,
        "further models, trained on the labels of the start",
        "a run and a training of each member",
        "Seung et al. 1992",
        "one model is too sure of itself",
    ),
}
