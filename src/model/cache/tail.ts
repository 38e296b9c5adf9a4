/**
 * What happens to a component between where it is made and where it is looked at, as one linear map.
 *
 * Norms with a cached scale, post-norms and centred writing weights are all of the form `x ↦ M x / scale`, where `M` is a
 * sequence of centrings and gains over `dModel` and `scale` one number per position. So projecting onto `p` needs only
 * `Mᵀ p`: nothing of size `dModel` is formed for it.
 */
import type { Tensor } from "../../tensor/index.js";

/** One fixed map over `dModel`: subtracting the mean, or multiplying by a gain `[dModel]`. */
export type TailMap = "centre" | Tensor;

/** A linear map of components; `scale` has the axes of positions, such as `[batch, pos]`. */
export interface Tail {
  readonly maps: readonly TailMap[];
  readonly scale?: Tensor;
}

/** The map that changes nothing. */
export const noTail: Tail = { maps: [] };

/** Returns `x` minus its mean over `dModel`. */
export function centre(x: Tensor): Tensor {
  return x.sub(x.mean("dModel", { keepAxis: true }));
}

function applyMap(x: Tensor, map: TailMap): Tensor {
  return map === "centre" ? centre(x) : x.mul(map);
}

/** Returns the map that applies `first`, then `second`. */
export function joinTails(first: Tail, second: Tail): Tail {
  const scale =
    first.scale === undefined || second.scale === undefined
      ? (first.scale ?? second.scale)
      : first.scale.mul(second.scale);
  return { maps: [...first.maps, ...second.maps], ...(scale === undefined ? {} : { scale }) };
}

/** Returns `M x / scale`; axes of `scale` that `x` lacks come last. */
export function applyTail(x: Tensor, { maps, scale }: Tail): Tensor {
  const mapped = maps.reduce(applyMap, x);
  return scale === undefined ? mapped : mapped.div(scale);
}

/** Returns `Mᵀ p`: centring and gains are symmetric, so only their order turns round. */
export function transposedMaps(p: Tensor, { maps }: Tail): Tensor {
  return [...maps].reverse().reduce(applyMap, p);
}

/** Returns a component as it is looked at: mapped, or mapped and projected onto directions. */
export function finish(x: Tensor, tail: Tail, directions?: Tensor): Tensor {
  if (directions === undefined) return applyTail(x, tail);
  const projected: Tensor = x.matmul(transposedMaps(directions, tail), "dModel");
  return tail.scale === undefined ? projected : projected.div(tail.scale);
}
