"""What shoppers of the sandbox shop write, by kind: how often the kind comes, and its texts."""

PRODUCTS = (
    "Drift Mini Bluetooth Speaker",
    "Hush Over-Ear Headphones",
    "Boulder 20K Power Bank",
    "Leaf Solar Charger",
    "Cloudline Hoodie",
    "Fisherman Merino Sweater",
    "Stormglass Rain Jacket",
    "Daily Grind Coffee Grinder",
    "Keep Hot Travel Mug",
    "Larch Two-Person Tent",
    "Beacon Headlamp",
    "Pulse Fit Band",
)

SAID: dict[str, tuple[int, tuple[str, ...]]] = {
    "search": (
        24,
        (
            "Hi, I need a gift for a tech-savvy teenager under $50",
            "do you have a warm sweater for hiking?",
            "show me headphones below 80 dollars",
            "I am looking for a tent for two people",
            "something for coffee lovers, not more than $60",
            "any rain jackets in red?",
        ),
    ),
    "detail": (
        26,
        (
            "How much is the {product}?",
            "Is the {product} in stock?",
            "what colours does the {product} come in",
            "Does the {product} come in size M?",
            "tell me more about the {product} please",
        ),
    ),
    "follow-up": (
        8,
        ("does the second one come in red?", "and the cheaper one?", "is it in stock?", "how much is it"),
    ),
    "policy": (
        12,
        (
            "How many days do I have to return something I don't like?",
            "What does shipping to Germany cost?",
            "how long does standard delivery take",
            "Which payment methods do you accept?",
            "What does your warranty cover?",
        ),
    ),
    "order": (5, ("Where is my order 000000111?", "has 000000096 shipped yet", "where is my order")),
    "talk": (5, ("hello", "thanks!", "ok great 👍", "good morning")),
    "emoji": (2, ("😊", "🎁 for my 👩‍👧 under $30 🙏", "❤️❤️❤️ the {product}")),
    "damage": (3, ("My parcel came today and the mug inside is smashed to pieces.", "the {product} arrived broken")),
    "human": (3, ("let me talk to a person", "I want a human, please")),
    "law": (1, ("My lawyer will contact you tomorrow, I am going to sue this shop.",)),
    "privacy": (1, ("Under the GDPR I want a copy of all personal data you hold about me. jane.miller@example.com",)),
    "anger": (
        2,
        (
            "This is the worst shop I have ever used, I am absolutely furious. Everything is terrible and I hate it!",
            "I hate you, this is a disgrace, absolutely horrible service",
        ),
    ),
    "cannot know": (2, ("Which of your designers drew the label on the {product}, and what did she listen to?",)),
    "long": (1, ("I have been thinking about the {product} for weeks and weeks. " * 40,)),
    "never mind": (2, ("never mind", "forget it")),
}

SAID_IN_GERMAN: dict[str, tuple[int, tuple[str, ...]]] = {
    "search": (10, ("Habt ihr warme Pullover unter 80 Euro?", "Ich suche ein Zelt für zwei Personen")),
    "detail": (10, ("Was kostet {product}?", "Ist {product} auf Lager?")),
    "policy": (6, ("Wie lange kann ich etwas zurückgeben?", "Was kostet der Versand nach Österreich?")),
    "human": (2, ("Kann ich bitte mit einem Mitarbeiter sprechen?",)),
    "damage": (2, ("Mein Paket kam heute an und die Tasse ist zerbrochen.",)),
    "talk": (3, ("Guten Tag", "danke!")),
}
