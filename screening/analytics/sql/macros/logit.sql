-- moved_logit: the limit of a 95 % interval of a share in (0, 1), its logit moved by 1.96 standard errors to `side`, -1 or 1; null where the
-- variance of the logit is null. sqrt_sum: the root of the sum of two squares.

create macro moved_logit(share, variance, side) as
    if(
        share > 0 and share < 1 and variance is not null,
        1 / (1 + exp(-(ln(share / (1 - share)) + side * 1.959963984540054 * sqrt(variance)))),
        null
    );

create macro sqrt_sum(one, other) as sqrt(one ** 2 + other ** 2);
