-- Ratio of two shares a/n and b/m, and half the width of its 95 % interval on the log scale (Katz 1978; Simel, Samsa and Matchar 1991).
-- Null where a share is 0, for then it has no logarithm, or a total is 0. 1.959963984540054 is the 97.5 % quantile of the normal distribution.

create macro likelihood_ratio(a, n, b, m) as
    if(a > 0 and b > 0, (a / n) / (b / m), null);

create macro likelihood_ratio_spread(a, n, b, m) as
    if(a > 0 and b > 0, 1.959963984540054 * sqrt(1 / a - 1 / n + 1 / b - 1 / m), null);
