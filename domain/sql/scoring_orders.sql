-- One row an order before the as-of moment, in fixed-width columns for a binary COPY.
-- Needs the tables of scoring_dictionaries.sql.
SELECT member, at_s, cents, channel, store FROM scoring_orders
