"""From trained weights to a released bundle: thresholds, calibration, packing, promotion, model card."""
