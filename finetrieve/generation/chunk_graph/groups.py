"""Groups of chunks that belong together: label propagation over the links."""

from __future__ import annotations

from collections import defaultdict

from finetrieve.generation.chunk_graph.graph import ChunkGraph

_ROUNDS = 10


def groups_of(graph: ChunkGraph, wanted: int) -> list[list[int]]:
    """Returns groups of chunks, the largest first; of each, the chunks with most links first.

    Label propagation (Raghavan et al., 2007): a chunk takes the label that its links weigh most for, in the order of the chunks,
    so that the same graph gives the same groups. Where fewer groups than wanted have links, single chunks at equal distances
    stand for groups.

    Args:
        graph: The chunks and their links.
        wanted: Groups that there are at least, if the corpus has as many chunks.
    """
    label = list(range(graph.n_chunks))
    for _ in range(_ROUNDS):
        changed = False
        for number, links in graph.neighbours.items():
            votes = defaultdict[int, float](float)
            for other, link in links:
                votes[label[other]] += link.weight
            best = max(votes, key=lambda name: (votes[name], -name))
            changed |= best != label[number]
            label[number] = best
        if not changed:
            break
    groups = defaultdict[int, list[int]](list)
    for number in graph.neighbours:
        groups[label[number]].append(number)
    found = sorted(groups.values(), key=lambda own: (-len(own), own[0]))
    for own in found:
        own.sort(key=lambda number: (-len(graph.neighbours[number]), number))
    if len(found) < wanted and graph.n_chunks:
        step = max(1, graph.n_chunks // wanted)
        found += [[number] for number in range(0, graph.n_chunks, step)][: wanted - len(found)]
    return found
