"""Schematic outlines of districts: the plane divided among their centres, cut at the edge of where companies are.

These are no administrative boundaries; pages that draw them say 示意图.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

Place = tuple[float, float]
MARGIN: Final = 0.06


def hull(places: Sequence[Place]) -> list[Place]:
    """Return the convex hull counter-clockwise (Andrew's monotone chain)."""
    ordered = sorted(set(places))
    if len(ordered) < 3:
        return ordered

    def half(points: Sequence[Place]) -> list[Place]:
        chain: list[Place] = []
        for point in points:
            while len(chain) > 1 and cross(chain[-2], chain[-1], point) <= 0:
                chain.pop()
            chain.append(point)
        return chain[:-1]

    return half(ordered) + half(ordered[::-1])


def cross(origin: Place, first: Place, second: Place) -> float:
    """Return the turn from origin→first to origin→second; positive is to the left."""
    return (first[0] - origin[0]) * (second[1] - origin[1]) - (first[1] - origin[1]) * (second[0] - origin[0])


def widened(polygon: Sequence[Place], margin: float = MARGIN) -> list[Place]:
    """Move the corners of a polygon away from its middle by a share of its size."""
    middle_x = sum(x for x, _ in polygon) / len(polygon)
    middle_y = sum(y for _, y in polygon) / len(polygon)
    return [(x + (x - middle_x) * margin, y + (y - middle_y) * margin) for x, y in polygon]


def nearer(polygon: Sequence[Place], own: Place, other: Place) -> list[Place]:
    """Cut a polygon to the part that is nearer to ``own`` than to ``other``."""
    normal = (other[0] - own[0], other[1] - own[1])
    limit = (other[0] ** 2 + other[1] ** 2 - own[0] ** 2 - own[1] ** 2) / 2
    beyond = [normal[0] * x + normal[1] * y - limit for x, y in polygon]
    kept: list[Place] = []
    for i, (point, depth) in enumerate(zip(polygon, beyond, strict=True)):
        following, next_depth = polygon[(i + 1) % len(polygon)], beyond[(i + 1) % len(polygon)]
        if depth <= 0:
            kept.append(point)
        if (depth < 0 < next_depth) or (next_depth < 0 < depth):
            t = depth / (depth - next_depth)
            kept.append((point[0] + t * (following[0] - point[0]), point[1] + t * (following[1] - point[1])))
    return kept


def outlines(centres: Sequence[Place], places: Sequence[Place]) -> list[list[Place]]:
    """Return one closed outline per centre (degrees east and north); empty where nothing is left of it."""
    if not centres:
        return []
    stretch = math.cos(math.radians(sum(lat for _, lat in centres) / len(centres))) or 1.0
    flat = [(lon * stretch, lat) for lon, lat in centres]
    edge = hull([(lon * stretch, lat) for lon, lat in [*places, *centres]])
    if len(edge) < 3:
        return [[] for _ in centres]
    found: list[list[Place]] = []
    for i, own in enumerate(flat):
        area = widened(edge)
        for j, other in enumerate(flat):
            if j != i and other != own and area:
                area = nearer(area, own, other)
        ring = [(round(x / stretch, 5), round(y, 5)) for x, y in area]
        found.append([*ring, ring[0]] if len(ring) > 2 else [])
    return found
