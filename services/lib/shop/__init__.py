"""The shop's data: a Magento client, its models, live facts, and a sandbox that speaks Magento's APIs."""
