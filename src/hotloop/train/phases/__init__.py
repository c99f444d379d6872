"""Phase training: true gradients for some steps, predicted ones for others, and checks of the predictions between."""
