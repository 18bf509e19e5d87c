"""Tests with limits: pytest -p tracemalloc.pytest --memory test_basket.py"""

import functools

import pytest

history = []


@functools.cache
def price(article):
    return len(article) / 4


class Basket:
    def __init__(self):
        self.articles = []

    def fill(self, number):
        self.articles += [f"article {n}" for n in range(number)]

    def checkout(self):
        history.append(self.articles)           # for whom?
        return sum(map(price, self.articles))


@pytest.fixture
def basket():
    return Basket()


@pytest.mark.limit_memory("200 KB")
def test_fill(basket):
    basket.fill(1000)


@pytest.mark.limit_leaks("1 KB", warmups=1)
def test_checkout():
    basket = Basket()
    basket.fill(100)
    assert basket.checkout() > 0
