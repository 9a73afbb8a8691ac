-- 95 % Wilson score interval of k of n (Wilson 1927), in [0, 1]; null where n is 0.
-- 1.959963984540054 is the 97.5 % quantile of the normal distribution.

create macro wilson_centre(k, n) as
    (k / n + 1.959963984540054 ** 2 / (2 * n)) / (1 + 1.959963984540054 ** 2 / n);

create macro wilson_half(k, n) as
    1.959963984540054 / (1 + 1.959963984540054 ** 2 / n)
    * sqrt((k / n) * (1 - k / n) / n + 1.959963984540054 ** 2 / (4 * n ** 2));

create macro wilson_low(k, n) as
    case when n > 0 then greatest(0.0, wilson_centre(k, n) - wilson_half(k, n)) end;

create macro wilson_high(k, n) as
    case when n > 0 then least(1.0, wilson_centre(k, n) + wilson_half(k, n)) end;
