-- What a test with this sensitivity and specificity gives among people of whom the share `prevalence` has the disease (Bayes), all in [0, 1].

create macro positive_share_at(sensitivity, specificity, prevalence) as
    sensitivity * prevalence + (1 - specificity) * (1 - prevalence);

create macro ppv_at(sensitivity, specificity, prevalence) as
    sensitivity * prevalence / nullif(positive_share_at(sensitivity, specificity, prevalence), 0);

create macro npv_at(sensitivity, specificity, prevalence) as
    specificity * (1 - prevalence) / nullif(1 - positive_share_at(sensitivity, specificity, prevalence), 0);

-- cost of screening everyone and testing the positives, for each case that is found
create macro cost_per_case_at(sensitivity, specificity, prevalence, cost_screen, cost_test) as
    (cost_screen + cost_test * positive_share_at(sensitivity, specificity, prevalence)) / nullif(sensitivity * prevalence, 0);

-- Intervals of 95 %, from the cells of the 2x2 table, for a prevalence that is known. Side is -1 for the lower limit and 1 for the upper.
--
-- PPV and NPV: the standard logit intervals of Mercaldo, Lau and Zhou (2007), and their adjusted ones where a cell is 0, which add half of
-- the squared quantile 1.959963984540054 to every cell. Cost: the delta method on its logarithm, with the same cells.

create macro adjusted(cell, tp, fn, fp, tn) as cell + if(least(tp, fn, fp, tn) = 0, 1.959963984540054 ** 2 / 2, 0);

create macro expit_moved(odds, variance, side) as 1 / (1 + exp(-side * 1.959963984540054 * sqrt(variance)) / odds);

create macro ppv_limit_of(tp, fn, fp, tn, prevalence, side) as
    expit_moved(
        tp / (tp + fn) * prevalence / (fp / (fp + tn) * (1 - prevalence)), fn / (tp * (tp + fn)) + tn / (fp * (fp + tn)), side
    );

create macro npv_limit_of(tp, fn, fp, tn, prevalence, side) as
    expit_moved(
        tn / (fp + tn) * (1 - prevalence) / (fn / (tp + fn) * prevalence), tp / (fn * (tp + fn)) + fp / (tn * (fp + tn)), side
    );

create macro cost_limit_of(tp, fn, fp, tn, prevalence, cost_screen, cost_test, side) as
    cost_per_case_at(tp / (tp + fn), tn / (fp + tn), prevalence, cost_screen, cost_test) * exp(side * 1.959963984540054 * sqrt(
        (
            cost_test * prevalence
            / nullif(cost_screen + cost_test * positive_share_at(tp / (tp + fn), tn / (fp + tn), prevalence), 0)
            - (tp + fn) / tp
        ) ** 2 * tp * fn / (tp + fn) ** 3
        + (
            cost_test * (1 - prevalence)
            / nullif(cost_screen + cost_test * positive_share_at(tp / (tp + fn), tn / (fp + tn), prevalence), 0)
        ) ** 2 * tn * fp / (fp + tn) ** 3
    ));

create macro ppv_limit(tp, fn, fp, tn, prevalence, side) as
    if(
        tp + fn > 0 and fp + tn > 0 and prevalence > 0 and prevalence < 1,
        ppv_limit_of(
            adjusted(tp, tp, fn, fp, tn), adjusted(fn, tp, fn, fp, tn), adjusted(fp, tp, fn, fp, tn), adjusted(tn, tp, fn, fp, tn),
            prevalence, side
        ),
        null
    );

create macro npv_limit(tp, fn, fp, tn, prevalence, side) as
    if(
        tp + fn > 0 and fp + tn > 0 and prevalence > 0 and prevalence < 1,
        npv_limit_of(
            adjusted(tp, tp, fn, fp, tn), adjusted(fn, tp, fn, fp, tn), adjusted(fp, tp, fn, fp, tn), adjusted(tn, tp, fn, fp, tn),
            prevalence, side
        ),
        null
    );

create macro cost_limit(tp, fn, fp, tn, prevalence, cost_screen, cost_test, side) as
    if(
        tp > 0 and fp + tn > 0,
        cost_limit_of(
            adjusted(tp, tp, fn, fp, tn), adjusted(fn, tp, fn, fp, tn), adjusted(fp, tp, fn, fp, tn), adjusted(tn, tp, fn, fp, tn),
            prevalence, cost_screen, cost_test, side
        ),
        null
    );

-- Columns of every view that says what calls are worth, which takes them with unnest: figures of the calls and their table in, one struct out.

create macro yield_at(sensitivity, sensitivity_low, sensitivity_high, specificity, tp, fn, fp, tn, prevalence) as {
    ppv: ppv_at(sensitivity, specificity, prevalence),
    ppv_low: ppv_limit(tp, fn, fp, tn, prevalence, -1),
    ppv_high: ppv_limit(tp, fn, fp, tn, prevalence, 1),
    npv: npv_at(sensitivity, specificity, prevalence),
    npv_low: npv_limit(tp, fn, fp, tn, prevalence, -1),
    npv_high: npv_limit(tp, fn, fp, tn, prevalence, 1),
    screened_per_case: 1 / nullif(sensitivity * prevalence, 0),
    screened_per_case_low: 1 / nullif(sensitivity_high * prevalence, 0),
    screened_per_case_high: 1 / nullif(sensitivity_low * prevalence, 0),
    tests_per_case: 1 / nullif(ppv_at(sensitivity, specificity, prevalence), 0),
    tests_per_case_low: 1 / ppv_limit(tp, fn, fp, tn, prevalence, 1),
    tests_per_case_high: 1 / ppv_limit(tp, fn, fp, tn, prevalence, -1),
    missed_per_100000: 100000 * prevalence * (1 - sensitivity)
};

-- by the variables cost_screen and cost_test; null where they are unset
create macro costs_at(sensitivity, specificity, tp, fn, fp, tn, prevalence) as {
    cost_per_case: cost_per_case_at(
        sensitivity, specificity, prevalence, getvariable('cost_screen')::double, getvariable('cost_test')::double
    ),
    cost_per_case_low: cost_limit(tp, fn, fp, tn, prevalence, getvariable('cost_screen')::double, getvariable('cost_test')::double, -1),
    cost_per_case_high: cost_limit(tp, fn, fp, tn, prevalence, getvariable('cost_screen')::double, getvariable('cost_test')::double, 1)
};
