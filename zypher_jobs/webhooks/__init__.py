"""Tells receivers that predictions have ended: where it may be sent, how it is signed, sent and sent again."""
