"""Shares and paired differences where units belong together, as radiographs of one person or persons of one site do.

The variance is that of a ratio estimator over clusters (Cochran 1977, section 6.3; Rao and Scott 1992; of paired differences,
Obuchowski 1998), times m / (m - 1) for m clusters. Counts divided by the design effect then go into the interval for independent units,
with Student's t on m - 1 degrees of freedom in the place of 1.96. A design effect below 1 counts as 1: with few clusters it falls below by
chance, and clusters are never more evidence than their units (as in the NCHS Data Presentation Standards for Proportions, 2017).
"""

from dataclasses import dataclass

import numpy as np

from screening.metrics import Z_95


@dataclass(frozen=True)
class Moments:
    """What the clusters sum up to: `total` of `n` units, where a cluster has `x` of its `size` units."""

    clusters: int
    total: float  # sum of x: right answers, or right answers of one product less those of another
    n: int  # sum of size
    squares: float  # sum of x²
    products: float  # sum of x * size
    sizes: float  # sum of size²

    @property
    def share(self) -> float:
        """total / n."""
        return self.total / self.n

    def variance(self) -> float | None:
        """Return the variance of the share over clusters; None where there are fewer than two."""
        if self.clusters < 2:
            return None
        spread = self.squares - 2 * self.share * self.products + self.share**2 * self.sizes
        return max(0.0, spread) * self.clusters / (self.clusters - 1) / self.n**2

    def design_effect(self, independent: float) -> float | None:
        """Return by how many times the variance exceeds `independent`, that of as many units on their own; at least 1, None as above."""
        variance = self.variance()
        return None if variance is None else max(1.0, variance / independent) if independent > 0 else 1.0


def moments(cluster: np.ndarray, x: np.ndarray) -> Moments:
    """Return the moments of units. cluster: (N,), equal for units that belong together. x: (N,), of each unit."""
    _, number = np.unique(cluster, return_inverse=True)
    sums, sizes = np.bincount(number, x), np.bincount(number)
    return Moments(len(sizes), float(sums.sum()), int(sizes.sum()), float(sums @ sums), float(sums @ sizes), float((sizes**2).sum()))


def quantile(clusters: int | None) -> float:
    """Return the 97.5 % quantile of Student's t for a number of clusters, of the normal distribution for None."""
    if clusters is None:
        return Z_95
    from scipy.stats import t

    return float(t.ppf(0.975, clusters - 1))


def clustered_share(of: Moments, *, independent: bool = False) -> tuple[float | None, float | None, float | None]:
    """Return the design effect and the limits of the 95 % interval of a share, in [0, 1]; None with fewer than two clusters.

    The interval is Wilson's (1927), of n divided by the design effect. independent: the clusters are the units, so that the design effect
    is 1 and the quantile that of the normal distribution.
    """
    effect = 1.0 if independent else of.design_effect(of.share * (1 - of.share) / of.n)
    if effect is None:
        return None, None, None
    n, z = of.n / effect, quantile(None if independent else of.clusters)
    centre = (of.share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (of.share * (1 - of.share) / n + z * z / (4 * n * n)) ** 0.5
    return effect, max(0.0, centre - half), min(1.0, centre + half)
