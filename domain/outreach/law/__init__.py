"""Law as data: a pack a jurisdiction, and the house's own rules, which bind everywhere. Each rule cites its source."""
