-- Two answers on the same n units, of which both are right on a, the first alone on b, the second alone on c, neither on d.
--
-- mcnemar_exact: two-sided p of b against c by the binomial distribution with one half (McNemar's exact test); 1 where b + c is 0.
-- paired_low and paired_high: 95 % interval of the difference (a + b) / n - (a + c) / n by Newcombe's method 10 (Newcombe 1998), which joins
-- the Wilson intervals of both shares.

create macro mcnemar_exact(b, c) as
    least(
        1,
        2 * list_sum([exp(lgamma(b + c + 1) - lgamma(i + 1) - lgamma(b + c - i + 1) - (b + c) * ln(2)) for i in range(least(b, c) + 1)])
    );

create macro paired_phi(a, b, c, d) as
    coalesce(
        case
            when a * d > b * c then greatest(a * d - b * c - (a + b + c + d) / 2, 0)
            else a * d - b * c
        end
        / nullif(sqrt((a + b)::double * (c + d) * (a + c) * (b + d)), 0),
        0
    );

create macro paired_low(a, b, c, d) as
    (b - c) / (a + b + c + d)
    - sqrt(
        ((a + b) / (a + b + c + d) - wilson_low(a + b, a + b + c + d)) ** 2
        - 2 * paired_phi(a, b, c, d) * ((a + b) / (a + b + c + d) - wilson_low(a + b, a + b + c + d))
        * (wilson_high(a + c, a + b + c + d) - (a + c) / (a + b + c + d))
        + (wilson_high(a + c, a + b + c + d) - (a + c) / (a + b + c + d)) ** 2
    );

create macro paired_high(a, b, c, d) as
    (b - c) / (a + b + c + d)
    + sqrt(
        (wilson_high(a + b, a + b + c + d) - (a + b) / (a + b + c + d)) ** 2
        - 2 * paired_phi(a, b, c, d) * (wilson_high(a + b, a + b + c + d) - (a + b) / (a + b + c + d))
        * ((a + c) / (a + b + c + d) - wilson_low(a + c, a + b + c + d))
        + ((a + c) / (a + b + c + d) - wilson_low(a + c, a + b + c + d)) ** 2
    );
