from xml.etree import ElementTree

from train.release.curves import curves_svg

SVG = "{http://www.w3.org/2000/svg}"


def line(epoch: int, **changes: object) -> dict[str, object]:
    return {"epoch": epoch, "train_loss": 1 / epoch, "tuning_loss": 0.5 + abs(epoch - 3) / 10, "tuning_dice": 0.8 + epoch / 100} | changes


def test_a_row_a_stage_with_the_best_epoch_marked() -> None:
    picture = ElementTree.fromstring(curves_svg({"lungs": [line(i) for i in range(1, 6)], "covid": [line(1, tuning_dice=None)]}))
    lines = list(picture.iter(f"{SVG}polyline"))
    assert [len(points.get("points").split()) for points in lines] == [5, 5, 5, 1, 1]
    said = picture.find(f".//{SVG}desc").text
    assert said == "lungs: 5 epochs, least tuning loss 0.500 at epoch 3; covid: 1 epochs, least tuning loss 0.700 at epoch 1"
    words = [text.text for text in picture.iter(f"{SVG}text")]
    assert "Dice, tuning split" in words
    assert "AUROC, tuning split" not in words


def test_lower_losses_are_drawn_lower() -> None:
    picture = ElementTree.fromstring(curves_svg({"pneumonia": [line(i, tuning_distillation=0.1) for i in (1, 2)]}))
    train, tuning, distillation, figure = (
        [float(point.split(",")[1]) for point in points.get("points").split()] for points in picture.iter(f"{SVG}polyline")
    )
    assert train[0] < train[1]  # pixels count from the top
    assert max(train + tuning) < min(distillation)
    assert figure[0] > figure[1]
    assert "tuning, distillation" in [text.text for text in picture.iter(f"{SVG}text")]
