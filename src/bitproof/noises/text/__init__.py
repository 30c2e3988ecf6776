"""What happens to a text on its way, its meaning kept: site ``text``, str → str."""
