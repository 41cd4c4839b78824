from nitari.guess import close, meant, unknown


def test_letters_that_changed_places_come_first():
    assert close("prot", ["root", "port", "workers"]) == ["port"]
    assert close("prot", ["root", "port"], 2) == ["port", "root"]


def test_what_is_not_near_is_not_guessed():
    assert meant("zebra", ["port", "root"]) == ""
    assert meant("catgory", ["category", "price"]) == "Did you mean 'category'? "
    assert meant("indx", ["index", "inbox"], 2).startswith("Did you mean 'index'")
    assert unknown("There is no column", "prise", iter(["price", "kind"])) == (
        "There is no column 'prise'. Did you mean 'price'? It has: price, kind"
    )
