"""The sandbox shop: a fictional Magento 2.4 shop in one ASGI app, for trying, testing and showing Baton.

    data = load(datetime.now(UTC))
    app = create_app(data, token="...", signing_key="...")     # sandbox.app, sandbox.data

What it imitates, held against Adobe's own documents by the contract tests:

- REST under `/rest/V1`, `/rest/{store}/V1` and `/rest/all/V1` with a Bearer token: products, attributes
  and their options, children of configurables, stock items, salable quantities, stock resolver, CMS
  pages and blocks, customers, orders, shipments, stores, the category tree; `searchCriteria` whole;
  Magento's error bodies.
- GraphQL at `/graphql`, open to all: `products`, `storeConfig`, `availableStores`, `currency`, under
  the headers `Store` and `Content-Currency`, with Magento's errors and its limit of depth.
- Its traps: a list of products has no stock; options are ids; a configurable's REST price is 0; a
  configurable's order line is a parent and a child; the shipping address is in `shipping_assignments`;
  a value that is not known is sometimes null and sometimes absent; a page past the last is the last
  again; a child of a configurable is not found by its SKU in GraphQL, only among the variants; some
  products are disabled or sold on one website only; a CMS page does not say to which store view it
  belongs; a failing header is answered by 500.

Two websites: `base` (store view `default`, English, US dollars) and `eu` (store view `de`, German,
euros, its own prices and its own stock). Out-of-stock products are shown. All dates are relative to
the time of loading.

What it does not imitate: writing (every method but GET is "no route"), carts and checkout, OAuth 1.0a,
customers' tokens and group prices, catalogue and cart price rules, tier prices, reservations (a
quantity is the salable one), reviews, images (paths lead nowhere), bundles and grouped products,
full-text relevance (`search` finds all words in name and SKU), rate limits, and ACL: one token opens
everything. An order's prices are regular ones; its tax is a flat rate of its region.

The sandbox's own: `GET /sandbox/health`, and `POST /sandbox/identity {"customer_id": 1}`, which with the
same token answers `{"token": ...}`, proof of who the shopper is (`sandbox.identity`).

Every person, address, parcel number and product is made up.
"""
