"""The rows of widgets as files: CSV, JSON, Parquet, Arrow and Excel, written while the rows come."""
