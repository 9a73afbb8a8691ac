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
