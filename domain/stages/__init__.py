"""The life-stage engine: dates in, stages and due care out. Pure: no table, no clock."""
