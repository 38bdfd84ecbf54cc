import pytest

from services.lib.language.encoder import Encoder
from services.lib.language.sentiment import SentimentModel


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    return Encoder.load()


@pytest.fixture(scope="session")
def sentiment() -> SentimentModel:
    return SentimentModel.load()
