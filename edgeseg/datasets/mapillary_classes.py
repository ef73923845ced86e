"""Which Cityscapes class each class of Mapillary Vistas is.

The rule is the definition of Cityscapes' classes: markings, bicycle lanes and service lanes are road; curbs, pedestrian
zones and traffic islands are sidewalk; backs of signs, guard rails, bridges, tunnels, parking, driveways, groups of
poles, street lights, trailers and caravans belong to none of the 19 and are ignored.
"""

from __future__ import annotations

_SHARED_19 = {
    "road": """
        construction--flat--road construction--flat--bike-lane construction--flat--crosswalk-plain
        construction--flat--service-lane construction--flat--road-shoulder object--manhole object--pothole
        marking--general marking--crosswalk-zebra
        marking--continuous--dashed marking--continuous--solid marking--continuous--zigzag
        marking--discrete--ambiguous marking--discrete--arrow--left marking--discrete--arrow--other
        marking--discrete--arrow--right marking--discrete--arrow--split-left-or-straight
        marking--discrete--arrow--split-right-or-straight marking--discrete--arrow--straight
        marking--discrete--crosswalk-zebra marking--discrete--give-way-row marking--discrete--give-way-single
        marking--discrete--hatched--chevron marking--discrete--hatched--diagonal marking--discrete--other-marking
        marking--discrete--stop-line marking--discrete--symbol--bicycle marking--discrete--symbol--other
        marking--discrete--text marking-only--continuous--dashed marking-only--discrete--crosswalk-zebra
        marking-only--discrete--other-marking marking-only--discrete--text
        """,
    "sidewalk": """
        construction--flat--sidewalk construction--flat--curb-cut construction--flat--pedestrian-area
        construction--flat--traffic-island construction--barrier--curb
        """,
    "building": "construction--structure--building construction--structure--garage",
    "wall": "construction--barrier--wall",
    "fence": "construction--barrier--fence",
    "pole": "object--support--pole object--support--utility-pole",
    "traffic light": """
        object--traffic-light object--traffic-light--cyclists object--traffic-light--general-horizontal
        object--traffic-light--general-single object--traffic-light--general-upright object--traffic-light--other
        object--traffic-light--pedestrians
        """,
    "traffic sign": """
        object--traffic-sign--front object--traffic-sign--direction-front
        object--traffic-sign--information-parking object--traffic-sign--temporary-front
        """,
    "vegetation": "nature--vegetation",
    "terrain": "nature--terrain nature--sand",
    "sky": "nature--sky",
    "person": "human--person human--person--individual human--person--person-group",
    "rider": "human--rider--bicyclist human--rider--motorcyclist human--rider--other-rider",
    "car": "object--vehicle--car",
    "truck": "object--vehicle--truck",
    "bus": "object--vehicle--bus",
    "train": "object--vehicle--on-rails",
    "motorcycle": "object--vehicle--motorcycle",
    "bicycle": "object--vehicle--bicycle",
}

_IGNORED = """
    animal--bird animal--ground-animal
    construction--barrier--ambiguous construction--barrier--concrete-block construction--barrier--guard-rail
    construction--barrier--other-barrier construction--barrier--road-median construction--barrier--road-side
    construction--barrier--separator construction--barrier--temporary
    construction--flat--driveway construction--flat--parking construction--flat--parking-aisle
    construction--flat--rail-track construction--structure--bridge construction--structure--tunnel
    nature--mountain nature--snow nature--water
    object--banner object--bench object--bike-rack object--billboard object--catch-basin object--cctv-camera
    object--fire-hydrant object--junction-box object--mailbox object--parking-meter object--phone-booth
    object--sign--advertisement object--sign--ambiguous object--sign--back object--sign--information
    object--sign--other object--sign--store object--street-light object--support--pole-group
    object--support--traffic-sign-frame object--traffic-cone object--traffic-sign--ambiguous
    object--traffic-sign--back object--traffic-sign--direction-back object--traffic-sign--temporary-back
    object--trash-can object--vehicle--boat object--vehicle--caravan object--vehicle--other-vehicle
    object--vehicle--trailer object--vehicle--vehicle-group object--vehicle--wheeled-slow object--water-valve
    void--car-mount void--dynamic void--ego-vehicle void--ground void--static void--unlabeled
    """

TARGETS: dict[str, str | None] = {
    **{name: target for target, names in _SHARED_19.items() for name in names.split()},
    **dict.fromkeys(_IGNORED.split()),
}
"""Vistas name (v1.2 and v2.0) → Cityscapes name, or None where the class is ignored."""
